"""What a call costs: every client side by side against one provider on this machine.  ``make bench`` runs it."""
