# What has another name than in earlier versions of this module. Nothing is made anew for it.

# azapi takes over what azurerm made: https://github.com/Azure/terraform-provider-azapi/releases/tag/v2.1.0
moved {
  from = azurerm_function_app_flex_consumption.this
  to   = azapi_resource.site
}

# There may be one of yours in their place (variable `existing`).
moved {
  from = azurerm_storage_account.this
  to   = azurerm_storage_account.this[0]
}
moved {
  from = azurerm_key_vault.this
  to   = azurerm_key_vault.this[0]
}
