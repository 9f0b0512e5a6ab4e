"""The fault programme: real nodes, databases and processes, killed, cut off and lied to.

`make faults` runs it whole. The tests here run each scenario for a short time. Nothing in the portal's code
knows of it: a process to be killed wraps the portal's functions itself (tests.faults.points).
"""
