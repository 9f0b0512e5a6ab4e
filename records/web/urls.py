"""Addresses of the portal's pages about records and consent."""

from django.urls import include, path, register_converter

from records.web.converters import Address, Id32, RequestId
from records.web.views import (
    acts,
    export,
    grants,
    history,
    home,
    inbox,
    listing,
    not_done,
    observations,
    preview,
    record,
    requests,
    restored,
    upload,
    upload_parts,
)

register_converter(Id32, "id32")
register_converter(Address, "address")
register_converter(RequestId, "request")

pages = [
    path("records/", listing.record_list, name="list"),
    path("records/folders/new/", listing.folder_new, name="folder-new"),
    path("records/folders/<int:folder>/", listing.record_list, name="folder"),
    path("records/folders/<int:folder>/name/", listing.folder_rename, name="folder-rename"),
    path("records/upload/", upload.upload, name="upload"),
    path("records/leave/", upload.leave_record, name="leave-record"),
    path("records/upload/<uuid:upload>/bytes/", upload.upload_bytes, name="upload-bytes"),
    path("records/upload/<uuid:upload>/", upload_parts.unfinished, name="upload-unfinished"),
    path("records/upload/<uuid:upload>/status/", upload_parts.upload_status, name="upload-status"),
    path("records/upload/<uuid:upload>/parts/<int:part>/", upload_parts.upload_part, name="upload-part"),
    path("records/upload/<uuid:upload>/finish/", upload_parts.upload_finish, name="upload-finish"),
    path("records/upload/<uuid:upload>/discard/", upload_parts.upload_discard, name="upload-discard"),
    path("records/<id32:record>/", record.detail, name="detail"),
    path("records/<id32:record>/versions/new/", upload.new_version, name="new-version"),
    path("records/<id32:record>/versions/<int:version>/file/", record.download, name="download"),
    path("records/<id32:record>/versions/<int:version>/view/", preview.view, name="view"),
    path("records/<id32:record>/versions/<int:version>/view/file/", preview.view_file, name="view-file"),
    path("records/<id32:record>/versions/<int:version>/view/inner/", preview.view_inner, name="view-inner"),
    path(
        "records/<id32:record>/versions/<int:version>/view/frames/<int:frame>/",
        preview.view_frame,
        name="view-frame",
    ),
    path("records/reader/", preview.pdf_reader, name="pdf-reader"),
    path("records/<id32:record>/edit/", record.edit, name="edit"),
    path("records/<id32:record>/move/", record.move, name="move"),
    path("records/<id32:record>/close/", record.close, name="close"),
    path("records/<id32:record>/send-again/", record.send_again, name="send-again"),
    path("records/<id32:record>/drop/", record.drop_failed, name="drop-failed"),
    path("restored/<uuid:errand>/", restored.restored, name="restored"),
    path("records/export/", export.export_page, name="export"),
    path("records/export/zip/", export.export_zip, name="export-zip"),
    path(
        "records/<id32:record>/observations/edit/", observations.observations_edit, name="observations-edit"
    ),
    path("records/observations/", observations.own_trends, name="observations"),
    path("records/observations/new/", observations.observations_new, name="observations-new"),
    path("records/observations/import/", observations.observations_import, name="observations-import"),
    path("not-done/<uuid:refusal>/", not_done.not_done, name="not-done"),
    path("not-done/<uuid:refusal>/again/", not_done.do_again, name="do-again"),
    path("not-done/<uuid:refusal>/leave/", not_done.leave_it, name="leave-it"),
    path("inbox/", inbox.inbox_list, name="inbox"),
    path("inbox/<id32:record>/file/", inbox.inbox_file, name="inbox-file"),
    path("inbox/<id32:record>/refuse/", inbox.inbox_refuse, name="inbox-refuse"),
    path("inbox/<id32:record>/block/", inbox.inbox_block, name="inbox-block"),
    path("inbox/unblock/", inbox.inbox_unblock, name="inbox-unblock"),
    path("patients/<address:address>/", listing.patient_records, name="patient"),
    path(
        "patients/<address:address>/observations/", observations.patient_trends, name="patient-observations"
    ),
    path("patients/<address:address>/export/", export.export_page, name="patient-export"),
    path("patients/<address:address>/export/zip/", export.export_zip, name="patient-export-zip"),
    path("patients/<address:address>/give-up/", grants.give_up, name="give-up"),
    path("requests/", requests.request_list, name="requests"),
    path("requests/new/", requests.request_new, name="request-new"),
    path("requests/mailed/<str:secret>/", requests.email_request, name="email-request"),
    path("requests/<request:request_id>/", requests.request_detail, name="request"),
    path("requests/<request:request_id>/withdraw/", requests.request_withdraw, name="request-withdraw"),
    path("requests/<request:request_id>/deny/", requests.request_deny, name="request-deny"),
    path("sharing/", grants.grant_list, name="grants"),
    path("sharing/requests/", requests.requests_asked, name="asked"),
    path("sharing/new/", grants.grant_new, name="grant-new"),
    path("sharing/confirm/", grants.grant_confirm, name="grant-confirm"),
    path("sharing/revoke/", grants.revoke, name="revoke"),
    path("history/", history.history, name="history"),
    path("acts/<uuid:act_id>/status/", acts.act_status, name="act-status"),
]

urlpatterns = [
    path("", home.home, name="home"),
    path("", include((pages, "records"))),
]
