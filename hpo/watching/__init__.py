"""Terminal and notebook output while experiments run (`hpo watch`, progress lines) and when they finish."""
