"""Resizes the picture that lies beside it and leaves the result in /output, from where the worker stores it."""

import os

from PIL import Image


def handler(event, context):
    width, height = event["width"], event["height"]
    with Image.open("photo.png") as picture:
        print(f"photo.png is {picture.width} x {picture.height}")
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        small.save(os.path.join(os.environ["OUTPUT_DIR"], "thumbnail.png"))
    return {"width": small.width, "height": small.height}
