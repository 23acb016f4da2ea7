"""`feature-service parity`: what is served beside what models are trained on."""
