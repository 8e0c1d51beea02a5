"""What the tests hold results against: drawn calls, plain loops, implementations not ours."""
