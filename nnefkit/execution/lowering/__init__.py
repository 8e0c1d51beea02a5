"""What the engines share: the arguments of calls, and the geometry of windows and regions."""
