from django.urls import path

from orders import views

urlpatterns = [
    path("", views.root),
    path("healthz", views.healthz),
    path("orders", views.orders),
    path("orders/<int:number>", views.order),
]
