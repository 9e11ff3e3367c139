"""Privacy: masks and blurring in pictures, exports with approval, retention and legal hold."""
