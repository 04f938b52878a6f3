"""What tests share: contracts, stand-ins, services that are started, scripts."""
