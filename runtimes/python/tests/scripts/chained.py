try:
    {}["missing"]
except KeyError as error:
    raise RuntimeError("no luck") from error
