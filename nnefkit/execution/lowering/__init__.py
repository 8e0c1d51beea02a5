"""Support that the engines share: arguments of calls, schedules and windows."""
