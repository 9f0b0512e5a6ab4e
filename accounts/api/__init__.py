"""What the API's views need of accounts."""
