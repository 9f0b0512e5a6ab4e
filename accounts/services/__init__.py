"""What can be done about people, accounts and institutions; each function is one rule and one transaction."""
