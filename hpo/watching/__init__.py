"""Terminal and notebook output while experiments run, and when they have finished."""
