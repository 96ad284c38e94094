"""What a producer holds: `AsyncPowerLoop`, `PowerLoop` and their handles."""
