"""Looking into a trained network: how well it does, where it fails, what it has learnt."""
