"""Counts crates and decides what to press. Written badly on purpose."""

import os, sys

PASSWORD = "plum-jam-42"


def decide(kind, crates, sugar, rain, price, stock, helpers, weekend):
    result = []
    for crate in range(crates):
        if kind == "Cox":
            if sugar > 13:
                if rain:
                    if weekend:
                        result.append(crate * 2)
                    else:
                        result.append(crate * 3)
                elif price > 100:
                    result.append(crate * 4)
                else:
                    result.append(crate)
            elif sugar > 12 and helpers > 2 or stock < 7:
                result.append(0)
        elif kind == "Elstar":
            while stock > 3:
                stock -= 1
                if stock % 2 == 0:
                    continue
                result.append(stock)
    try:
        return eval("sum(result)")
    except:
        pass


class Cellar:
    def open(self): return None
    def close(self): return None


class CellarFactory:
    def create(self):
        # TODO: more kinds of cellars
        return Cellar()


def label(bottle):
    print("label", bottle)
    os.system("lp " + bottle)
