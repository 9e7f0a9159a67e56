"""What an officer may do to an item or for a person, and the papers that the law asks for."""
