import json


def main():
    print(json.dumps("main ran"))


if __name__ == "__main__":
    main()
