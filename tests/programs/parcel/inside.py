def fail():
    raise RuntimeError("inside")
