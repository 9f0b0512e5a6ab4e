"""Addresses of the API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from records.api.views import (
    access_requests,
    account,
    folders,
    grants,
    history,
    observations,
    records,
    refusals,
    senders,
    uploads,
)

app_name = "api"

# Authors of integrations read it before they have a token.
schema = SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[])

urlpatterns = [
    path("schema", schema, name="schema"),
    path("me", account.AccountDetail.as_view(), name="me"),
    path("key-tasks", account.KeyTaskCount.as_view(), name="key-tasks"),
    path("records", records.RecordList.as_view(), name="records"),
    path("records/search", records.SearchRecords.as_view(), name="search"),
    path("records/<str:record_id>", records.RecordDetail.as_view(), name="record"),
    path("records/<str:record_id>/content", records.RecordContent.as_view(), name="content"),
    path(
        "records/<str:record_id>/observations",
        observations.RecordObservationList.as_view(),
        name="record-observations",
    ),
    path("observations", observations.PatientObservationList.as_view(), name="observations"),
    path("records/<str:record_id>/move", records.MoveRecord.as_view(), name="move"),
    path("records/<str:record_id>/close", records.CloseRecord.as_view(), name="close"),
    path("records/<str:record_id>/refuse", records.RefuseRecord.as_view(), name="refuse"),
    path("senders", senders.BlockedSenderList.as_view(), name="senders"),
    path("senders/block", senders.BlockSender.as_view(), name="block-sender"),
    path("senders/unblock", senders.UnblockSender.as_view(), name="unblock-sender"),
    path("export", records.ExportRecords.as_view(), name="export"),
    path("uploads", uploads.UploadList.as_view(), name="uploads"),
    path("uploads/<uuid:upload_id>", uploads.UploadDetail.as_view(), name="upload"),
    path("uploads/<uuid:upload_id>/content", uploads.SendUploadContent.as_view(), name="upload-content"),
    path("uploads/<uuid:upload_id>/parts/<int:part>", uploads.SendUploadPart.as_view(), name="upload-part"),
    path("uploads/<uuid:upload_id>/finish", uploads.FinishUpload.as_view(), name="upload-finish"),
    path("folders", folders.FolderList.as_view(), name="folders"),
    path("patients", grants.PatientList.as_view(), name="patients"),
    path("requests", access_requests.AccessRequestList.as_view(), name="requests"),
    path("requests/<str:request_id>", access_requests.AccessRequestDetail.as_view(), name="request"),
    path("requests/<str:request_id>/deny", access_requests.DenyAccessRequest.as_view(), name="deny"),
    path(
        "requests/<str:request_id>/withdraw",
        access_requests.WithdrawAccessRequest.as_view(),
        name="withdraw",
    ),
    path("grants", grants.GrantList.as_view(), name="grants"),
    path("grants/revoke", grants.RevokeGrant.as_view(), name="revoke"),
    path("grants/give-up", grants.GiveUpGrant.as_view(), name="give-up"),
    path("refusals", refusals.RefusalList.as_view(), name="refusals"),
    path("refusals/<uuid:refusal_id>/send-again", refusals.ResendRefusal.as_view(), name="send-refused"),
    path("refusals/<uuid:refusal_id>/drop", refusals.DropRefusal.as_view(), name="drop-refused"),
    path("history", history.HistoryList.as_view(), name="history"),
]
