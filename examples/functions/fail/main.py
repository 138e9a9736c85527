"""Fails with an exception, as functions do: the worker reports it and goes on."""


def parse_order(text):
    number, amount = text.split(":")
    return {"number": int(number), "amount": float(amount)}


print("Reading the order ...")
parse_order("42:twelve")
