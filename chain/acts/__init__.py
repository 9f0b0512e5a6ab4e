"""Acts as users sign them, and as events tell them."""
