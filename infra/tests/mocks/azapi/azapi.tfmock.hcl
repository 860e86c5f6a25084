# What Azure would answer for the site. The one azapi_resource there is.

mock_resource "azapi_resource" {
  defaults = {
    id     = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Web/sites/app"
    output = { properties = { defaultHostName = "kargo-hooks.azurewebsites.net" } }
  }
}
