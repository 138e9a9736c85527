"""What the handler rows run."""


def handler(event, context):
    return {"hello": event["name"]}
