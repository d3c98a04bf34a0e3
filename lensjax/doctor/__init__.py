"""What is wrong with a file, before a program stumbles over it."""
