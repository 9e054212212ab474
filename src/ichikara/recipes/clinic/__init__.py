"""The clinic: faults injected into healthy trainings, as the doctor's test bench."""
