"""Addresses of the API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from records.api import consent, documents, key_tasks, observations, refusals
from records.api import schema as _schema  # noqa: F401  (importing registers how tokens are described)

app_name = "api"

# Whoever writes an integration reads it before having a token.
schema = SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[])

urlpatterns = [
    path(
        "schema", SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[]), name="schema"
    ),
    path("me", consent.Me.as_view(), name="me"),
    path("records", documents.Records.as_view(), name="records"),
    path("records/search", documents.Search.as_view(), name="search"),
    path("records/<str:record>", documents.OneRecord.as_view(), name="record"),
    path("records/<str:record>/content", documents.Content.as_view(), name="content"),
    path("records/<str:record>/observations", observations.OfRecord.as_view(), name="record-observations"),
    path("observations", observations.OfPatient.as_view(), name="observations"),
    path("records/<str:record>/move", documents.Move.as_view(), name="move"),
    path("records/<str:record>/close", documents.Close.as_view(), name="close"),
    path("records/<str:record>/refuse", documents.Refuse.as_view(), name="refuse"),
    path("senders", documents.Senders.as_view(), name="senders"),
    path("senders/block", documents.BlockSender.as_view(), name="block-sender"),
    path("senders/unblock", documents.UnblockSender.as_view(), name="unblock-sender"),
    path("export", documents.ExportRecords.as_view(), name="export"),
    path("uploads", documents.Uploads.as_view(), name="uploads"),
    path("uploads/<uuid:upload>", documents.OneUpload.as_view(), name="upload"),
    path("uploads/<uuid:upload>/content", documents.UploadContent.as_view(), name="upload-content"),
    path("uploads/<uuid:upload>/parts/<int:part>", documents.UploadPart.as_view(), name="upload-part"),
    path("uploads/<uuid:upload>/finish", documents.FinishUpload.as_view(), name="upload-finish"),
    path("folders", documents.Folders.as_view(), name="folders"),
    path("patients", consent.Patients.as_view(), name="patients"),
    path("requests", consent.Requests.as_view(), name="requests"),
    path("requests/<str:asked>", consent.OneRequest.as_view(), name="request"),
    path("requests/<str:asked>/deny", consent.Deny.as_view(), name="deny"),
    path("requests/<str:asked>/withdraw", consent.Withdraw.as_view(), name="withdraw"),
    path("grants", consent.Grants.as_view(), name="grants"),
    path("grants/revoke", consent.Revoke.as_view(), name="revoke"),
    path("grants/give-up", consent.GiveUp.as_view(), name="give-up"),
    path("key-tasks", key_tasks.KeyTasks.as_view(), name="key-tasks"),
    path("refusals", refusals.Refusals.as_view(), name="refusals"),
    path("refusals/<uuid:refusal>/send-again", refusals.SendRefused.as_view(), name="send-refused"),
    path("refusals/<uuid:refusal>/drop", refusals.DropRefused.as_view(), name="drop-refused"),
    path("history", consent.History.as_view(), name="history"),
]
