"""The least a function app can be: the baseline that benchmarks compare with."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello")
async def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hello")
