print('{"result": 1}')
print("done")
