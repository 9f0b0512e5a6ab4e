"""What a thief of everything stored could read: nothing."""
