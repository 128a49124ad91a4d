"""The torture run: hundreds of faults under load, and a checker that judges everything every client saw.

`make torture SEED=1 MINUTES=10 STORE=redis` (or sqlite). A seed fixes which faults come and when (plan.py); what they
meet is up to the machine. Clients write down what they observe (history.py), the checker (checker.py) compares that
with the log as it stands in the store in the end, and a certificate says what was done and what was found.
"""
