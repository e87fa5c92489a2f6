"""Prints everything a program can tell about how it was started."""

import atexit
import multiprocessing
import os
import pickle
import sys


class Parcel:
    def __init__(self, content):
        self.content = content


def double(number):
    return 2 * number


def main():
    if os.environ.get("PERFKIT_TEST_LOAD_TORCH"):
        import torch  # noqa: F401
    print("argv", sys.argv)
    print("file", __file__, os.getcwd())
    print("path0", sys.path[0])
    print("main", __name__, __spec__ and __spec__.name, __package__, __doc__)
    print("globals", sorted(name for name in globals() if name.startswith("__")))
    print("builtins", __builtins__ is sys.modules["builtins"])
    print("in modules", vars(sys.modules["__main__"]) is globals())
    print("pickle", pickle.loads(pickle.dumps(Parcel(3))).content, Parcel.__module__)
    print("stdout", sys.stdout is sys.__stdout__, sys.excepthook is sys.__excepthook__)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("spawned", pool.map(double, [1, 2]))
    if hasattr(os, "fork"):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            print("in the forked child")
            sys.exit(5)
        print("forked", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    atexit.register(print, "at exit")
    how = sys.argv[1]
    if how == "raise":
        try:
            {}["missing"]
        except KeyError as error:
            raise ValueError("told the user") from error
    if how == "exit":
        sys.exit(7)
    if how == "message":
        sys.exit("a last word")


if __name__ == "__main__":
    main()
