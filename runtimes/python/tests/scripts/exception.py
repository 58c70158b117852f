import helper


def outer():
    helper.fail()


outer()
