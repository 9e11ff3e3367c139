"""What is counted: camera hours and alarms, told to the platform that this was ordered from."""
