print('"\udcff"')
