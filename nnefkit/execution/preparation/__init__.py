"""What precedes a run: runnable and quantized graphs, updated variables, checked inputs."""
