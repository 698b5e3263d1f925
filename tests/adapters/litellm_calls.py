"""Makes calls through LiteLLM with answers of its own and has its `generic_api` callback send them to the service.

usage: litellm_calls.py URL KEY FORMAT. No model is asked. Prints what the service should have stored, as JSON.
"""

import asyncio
import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # noqa: E402
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger  # noqa: E402

URL, KEY, FORMAT = sys.argv[1:4]


def ask(text, answer, **more):
    messages = [{"role": "user", "content": text}]
    return litellm.acompletion(model="gpt-4o-mini", messages=messages, mock_response=answer, **more)


async def until(condition):
    """LiteLLM logs beside the call; what it has logged stands in the callback's queue."""
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise SystemExit("LiteLLM has not logged its calls")


async def main():
    endpoint = f"{URL}/v1/ingest/litellm"
    headers = {"Authorization": f"Bearer {KEY}"}
    callback = GenericAPILogger(endpoint=endpoint, headers=headers, log_format=FORMAT)
    litellm.callbacks = [callback]
    said = []

    whole = await ask("One?", "One.", user="u-1", temperature=0.2, metadata={"tags": ["route:faq"]})
    said.append({"id": whole.id, "text": "One.", "user": "u-1"})
    streamed_id = None
    async for chunk in await ask("Streamed?", "It comes in parts.", stream=True):
        streamed_id = chunk.id
    said.append({"id": streamed_id, "text": "It comes in parts.", "user": None})
    several = await ask("Two?", "Either.", n=2)
    said.append({"id": several.id, "text": "Either.", "user": None})
    said.append({"id": f"{several.id}#1", "text": "Either.", "user": None})
    try:
        await ask("Broken?", Exception("no engine"))
    except litellm.InternalServerError:
        pass

    await until(lambda: len(callback.log_queue) >= 4)
    await callback.flush_queue()
    print(json.dumps(said))


asyncio.run(main())
