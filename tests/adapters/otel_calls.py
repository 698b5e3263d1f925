"""Exports calls and reactions as programs do that run OpenTelemetry, OpenInference or Langfuse's client.

usage: otel_calls.py URL KEY. No model is asked. Prints what the service should have stored, as JSON.
"""

import json
import os
import sys

URL, KEY = sys.argv[1:3]
os.environ["LANGFUSE_MEDIA_UPLOAD_ENABLED"] = "false"

import httpx  # noqa: E402
import openai  # noqa: E402
from langfuse import Langfuse  # noqa: E402
from openinference.instrumentation.openai import OpenAIInstrumentor  # noqa: E402
from opentelemetry.exporter.otlp.proto.http import Compression  # noqa: E402
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: E402
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult  # noqa: E402
from opentelemetry.trace import Link, format_span_id  # noqa: E402


class Exporter(OTLPSpanExporter):
    """Remembers whether every export was a success, which the SDK only logs."""

    outcomes = []

    def export(self, spans):
        outcome = super().export(spans)
        self.outcomes.append(outcome)
        return outcome


def provider():
    headers = {"Authorization": f"Bearer {KEY}"}
    exporter = Exporter(endpoint=f"{URL}/v1/traces", headers=headers, compression=Compression.Gzip)
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    return made


def by_hand(tracer, said):
    """A call by the GenAI conventions, and a carrier with a person's annotation of it."""
    prompt = [{"role": "user", "parts": [{"type": "text", "content": "By hand?"}]}]
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "By hand."}], "finish_reason": "stop"}]
    with tracer.start_as_current_span("request"):
        with tracer.start_as_current_span("chat acme-8b") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.response.id", "r-by-hand")
            call.set_attribute("gen_ai.response.model", "acme-8b")
            call.set_attribute("gen_ai.input.messages", json.dumps(prompt))
            call.set_attribute("gen_ai.output.messages", json.dumps(answer))
            call.set_attribute("gen_ai.usage.input_tokens", 3)
    with tracer.start_as_current_span("feedback", links=[Link(call.get_span_context())]) as carrier:
        carrier.set_attribute("annotations.0.annotation.name", "user_feedback")
        carrier.set_attribute("annotations.0.annotation.score", 1)
        carrier.set_attribute("annotations.0.annotation.annotator_kind", "HUMAN")
        carrier.set_attribute("user.id", "u-1")
    said.append({"id": "r-by-hand", "text": "By hand.", "thumb": "up"})


def instrumented(made, said):
    """A call of the OpenAI client that OpenInference instruments; a transport of ours answers it."""
    spans = []

    class Keep(SpanProcessor):
        def on_end(self, span):
            spans.append(span)

    made.add_span_processor(Keep())
    OpenAIInstrumentor().instrument(tracer_provider=made)
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1780000000,
        "model": "acme-8b",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Instrumented."}}
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    client = openai.OpenAI(api_key="none", base_url="http://engine", http_client=httpx.Client(transport=transport))
    client.chat.completions.create(model="acme", messages=[{"role": "user", "content": "Instrumented?"}])
    OpenAIInstrumentor().uninstrument()
    said.append({"id": format_span_id(spans[-1].context.span_id), "text": "Instrumented.", "thumb": None})


def by_langfuse(said):
    """A generation of Langfuse's client. Its scores come as a list, which is not taken."""
    client = Langfuse(public_key="pk-lf-any", secret_key=KEY, base_url=URL)
    question = [{"role": "user", "content": "By Langfuse?"}]
    with client.start_as_current_observation(
        name="answer", as_type="generation", model="acme-8b", input=question
    ) as call:
        call.update(output={"role": "assistant", "content": "By Langfuse."}, usage_details={"input": 4, "output": 3})
        observation_id = call.id
    client.flush()
    client.shutdown()
    said.append({"id": observation_id, "text": "By Langfuse.", "thumb": None})


def main():
    said = []
    made = provider()
    by_hand(made.get_tracer("by hand"), said)
    instrumented(made, said)
    made.shutdown()
    by_langfuse(said)
    assert Exporter.outcomes and set(Exporter.outcomes) == {SpanExportResult.SUCCESS}, Exporter.outcomes
    print(json.dumps(said))


main()
