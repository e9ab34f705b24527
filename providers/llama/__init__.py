"""Models on this machine through llama.cpp, one child process per loaded model. README.md says how it fits together."""
