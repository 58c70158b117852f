import threading


def fail():
    raise ValueError("deep")


thread = threading.Thread(target=fail)
thread.start()
thread.join()
print('"went on"')
