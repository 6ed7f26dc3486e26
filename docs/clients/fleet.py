"""Lists the miners of a Mujina control plane, and reconnects one: over mutual TLS, without any file generated from the protos.

    pip install -r requirements.txt
    python fleet.py CONTEXT [MINER]

CONTEXT is a file that `mujina-control init` or `mujinactl context export` wrote: it holds the address, the authority's certificate and
the operator's key. The descriptors come from the server, by gRPC reflection. Written for Python 3.11 and newer.
"""

import sys
import tomllib
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Control:
    """Calls methods by their names; messages are made from dictionaries."""

    def __init__(self, context):
        key, chain = split(context["identity"])
        credentials = grpc.ssl_channel_credentials(context["authority"].encode(), key.encode(), chain.encode())
        self.channel = grpc.secure_channel(context["address"].removeprefix("https://"), credentials)
        self.pool = descriptor_pool.DescriptorPool(ReflectionV1(self.channel))

    def method(self, service, name):
        method = self.pool.FindServiceByName(f"mujina.control.v1.{service}").FindMethodByName(name)
        kinds = [message_factory.GetMessageClass(kind) for kind in (method.input_type, method.output_type)]
        return f"/mujina.control.v1.{service}/{name}", *kinds

    def call(self, service, name, **fields):
        path, request, answer = self.method(service, name)
        call = self.channel.unary_unary(path, request.SerializeToString, answer.FromString)
        return call(request(**fields), timeout=20)

    def watch(self, service, name, **fields):
        path, request, answer = self.method(service, name)
        return self.channel.unary_stream(path, request.SerializeToString, answer.FromString)(request(**fields))


class ReflectionV1(ProtoReflectionDescriptorDatabase):
    """The package speaks of v1alpha; its messages are those of v1, under another path."""

    def __init__(self, channel):
        super().__init__(channel)
        from grpc_reflection.v1alpha import reflection_pb2 as messages

        self._stub.ServerReflectionInfo = channel.stream_stream(
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            messages.ServerReflectionRequest.SerializeToString,
            messages.ServerReflectionResponse.FromString,
        )


def split(identity):
    """The private key and the certificates of a PEM text."""
    blocks = [block + "-----END" + end for block, end in parts(identity)]
    keys = [block for block in blocks if "PRIVATE KEY" in block]
    return keys[0], "\n".join(block for block in blocks if "PRIVATE KEY" not in block)


def parts(text):
    pieces = text.split("-----END")
    for i, piece in enumerate(pieces[:-1]):
        end = pieces[i + 1].split("-----", 1)[0] + "-----"
        yield "-----BEGIN" + piece.split("-----BEGIN", 1)[1], end


def main():
    with open(sys.argv[1], "rb") as file:
        control = Control(tomllib.load(file))
    for miner in control.call("MinerRegistryService", "ListMiners", page_size=1000).miners:
        labels = ",".join(f"{key}={value}" for key, value in sorted(miner.labels.items()))
        print(miner.name, "connected" if miner.reachability == 1 else "unreachable", labels)
    if len(sys.argv) > 2:
        action = {"reconnect": {}}
        started = control.call(
            "OperationService", "StartOperation", action=action, miners=[sys.argv[2]], request_id=str(uuid.uuid4())
        )
        for news in control.watch("OperationService", "WatchOperation", operation_id=started.operation.operation_id):
            for target in news.operation.targets:
                # TARGET_STATE_SUCCEEDED and TARGET_STATE_FAILED of operation_service.proto.
                if target.state in (3, 4):
                    print("reconnect of", target.miner, "succeeded" if target.state == 3 else target.error_message)


if __name__ == "__main__":
    main()
