"""The pages.

    /           how many orders and tasks there are, with the version that answered
    /orders     POST name=…: an order, and a task that confirms it
    /orders/N   one order
    /healthz    200 if the application can do its work, 503 and the reason if not
"""

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET, require_POST

from orders import rollout
from orders.models import Order, Task
from shop.version import VERSION


@require_GET
def root(request):
    waiting = Task.objects.filter(done_at__isnull=True).count()
    return JsonResponse({"orders": Order.objects.count(), "waiting": waiting, "version": VERSION})


@require_POST
def orders(request):
    name = request.POST.get("name", "").strip()
    if not 0 < len(name) <= 100:
        return JsonResponse({"error": "name must have 1 to 100 characters"}, status=400)
    with transaction.atomic():  # no order without its task
        made = Order.objects.create(customer=name)
        Task.objects.create(order=made, queue=settings.QUEUE)
    return JsonResponse({"order": made.pk, "name": made.customer, "version": VERSION}, status=201)


@require_GET
def order(request, number):
    found = get_object_or_404(Order, pk=number)
    return JsonResponse({"order": found.pk, "name": found.customer, "confirmed": found.confirmed, "version": VERSION})


@require_GET
def healthz(request):
    """Does what users need: it asks the database for what this version's models name."""
    try:
        missing = rollout.not_expanded()
        if not missing:
            Order.objects.first()
    except DatabaseError as error:
        connection.close()  # the next request gets a new one
        return JsonResponse({"status": "failing", "problem": f"database: {error}"}, status=503)
    if missing:
        return JsonResponse({"status": "failing", "problem": f"the database lacks {missing}: run expand"}, status=503)
    return JsonResponse({"status": "ok", "version": VERSION})
