"""A server of llama.cpp: `llama_server.py MODEL.gguf NAME PORT [KEY]`, until its input ends."""

import sys

from xllamacpp import CommonParams, Server

model, name, port, *keys = sys.argv[1:]
parameters = CommonParams()
parameters.model.path = model
parameters.model_alias = {name}
parameters.n_ctx = 1024
parameters.n_parallel = 1
parameters.hostnames = ["0.0.0.0"]
parameters.port = int(port)
parameters.api_keys = keys
server = Server(parameters)
sys.stdin.read()
