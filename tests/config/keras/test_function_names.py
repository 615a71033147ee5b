from toolkit.config.keras.function_names import function_names


def test_functions_have_the_names_of_keras() -> None:
    assert function_names(["MeanSquaredError", "KLDivergence", "Hinge"]) == {
        "mean_squared_error": "MeanSquaredError",
        "mse": "MeanSquaredError",
        "MSE": "MeanSquaredError",
        "kl_divergence": "KLDivergence",
        "kullback_leibler_divergence": "KLDivergence",
        "kld": "KLDivergence",
        "KLD": "KLDivergence",
        "hinge": "Hinge",
    }
