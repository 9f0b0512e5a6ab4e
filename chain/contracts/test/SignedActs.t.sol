// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Clinic} from "./Clinic.sol";

/// @notice Every act once, signed by its author for the type that a wallet would show, and sent by somebody else.
contract SignedActsTest is Clinic {
    bytes32 private constant NONCE = keccak256("nonce");
    bytes32 private constant ENVELOPES = keccak256("envelopes");

    function setUp() public override {
        super.setUp();
        _add(_record(doctor, 0));
    }

    function test_Directory() public {
        IMedRec.AdmitInstitution memory admit = IMedRec.AdmitInstitution(admission, hospital, false, 2);
        medrec.admitInstitution(
            admit,
            _sign(
                ADMISSION_KEY,
                "AdmitInstitution(address author,address institution,bool admitted,uint64 serial)",
                abi.encode(admit)
            )
        );
        IMedRec.AffiliateDoctor memory affiliate = IMedRec.AffiliateDoctor(hospital, doctor, true, 2);
        medrec.affiliateDoctor(
            affiliate,
            _sign(
                HOSPITAL_KEY,
                "AffiliateDoctor(address author,address doctor,bool affiliated,uint64 serial)",
                abi.encode(affiliate)
            )
        );
        IMedRec.LeaveInstitution memory leaving = IMedRec.LeaveInstitution(doctor, hospital, 3);
        medrec.leaveInstitution(
            leaving,
            _sign(DOCTOR_KEY, "LeaveInstitution(address author,address institution,uint64 serial)", abi.encode(leaving))
        );
        (bool on, uint64 serial) = medrec.affiliationOf(hospital, doctor);
        vm.assertTrue(!on && serial == 3);
    }

    function test_Keys() public {
        IMedRec.PublishKey memory publish = IMedRec.PublishKey(patient, 1, new bytes(1217));
        medrec.publishKey(
            publish,
            _sign(
                PATIENT_KEY,
                "PublishKey(address author,uint32 version,bytes key)",
                abi.encode(publish.author, publish.version, keccak256(publish.key))
            )
        );
        IMedRec.NameRecovery memory name = IMedRec.NameRecovery(patient, stranger, 1);
        medrec.nameRecovery(
            name, _sign(PATIENT_KEY, "NameRecovery(address author,address recovery,uint64 serial)", abi.encode(name))
        );
        IMedRec.ReplaceKeys memory replace = IMedRec.ReplaceKeys(patient, 1, doctor, new bytes(1217), ENVELOPES);
        medrec.replaceKeys(
            replace,
            _sign(
                STRANGER_KEY,
                "ReplaceKeys(address author,uint32 generation,address signer,bytes key,bytes32 envelopes)",
                abi.encode(patient, replace.generation, replace.signer, keccak256(replace.key), ENVELOPES)
            )
        );
        (address signer,) = medrec.signerOf(patient);
        vm.assertEq(signer, doctor);
    }

    function test_Folders() public {
        IMedRec.NameFolder memory name = IMedRec.NameFolder(patient, 1, keccak256("name"), 1);
        medrec.nameFolder(
            name,
            _sign(PATIENT_KEY, "NameFolder(address author,uint16 folder,bytes32 name,uint64 serial)", abi.encode(name))
        );
        IMedRec.RekeyFolder memory rekey = IMedRec.RekeyFolder(patient, 1, 0, 1, ENVELOPES);
        medrec.rekeyFolder(
            rekey,
            _sign(
                PATIENT_KEY,
                "RekeyFolder(address author,uint16 folder,uint32 fromEpoch,uint32 toEpoch,bytes32 envelopes)",
                abi.encode(rekey)
            )
        );
        (uint32 epoch, uint64 serial) = medrec.folderOf(patient, 1);
        vm.assertTrue(epoch == 1 && serial == 1);
    }

    function test_Records() public {
        IMedRec.NewRecord memory added = _record(patient, 1);
        medrec.newRecord(
            added,
            _sign(
                PATIENT_KEY,
                "NewRecord(address author,address patient,address via,uint16 folder,uint32 epoch,uint8 flags,bytes32 nonce,bytes32 content,bytes32 description,bytes secret)",
                abi.encode(
                    patient,
                    patient,
                    added.via,
                    added.folder,
                    added.epoch,
                    added.flags,
                    NONCE,
                    added.content,
                    added.description,
                    keccak256(added.secret)
                )
            )
        );
        IMedRec.ModifyRecord memory changed = _modify(patient, _idOf(patient, NONCE), 1);
        bytes memory members = abi.encode(
            patient,
            patient,
            changed.via,
            changed.record,
            changed.folder,
            changed.epoch,
            changed.version,
            changed.flags,
            changed.content,
            changed.description,
            keccak256(changed.secret)
        );
        medrec.modifyRecord(
            changed,
            _sign(
                PATIENT_KEY,
                "ModifyRecord(address author,address patient,address via,bytes32 record,uint16 folder,uint32 epoch,uint32 version,uint8 flags,bytes32 content,bytes32 description,bytes secret)",
                members
            )
        );
        (,,, uint32 version,,) = medrec.recordOf(changed.record);
        vm.assertEq(version, 2);
    }

    function test_Inbox() public {
        IMedRec.CloseRecord memory close = IMedRec.CloseRecord(doctor, patient, _idOf(doctor, NONCE), NONCE, 3);
        medrec.closeRecord(
            close,
            _sign(
                DOCTOR_KEY,
                "CloseRecord(address author,address patient,bytes32 record,bytes32 nonce,uint8 reason)",
                abi.encode(close)
            )
        );
        IMedRec.BlockSender memory blocking = IMedRec.BlockSender(patient, doctor, true, 1);
        medrec.blockSender(
            blocking,
            _sign(
                PATIENT_KEY,
                "BlockSender(address author,address sender,bool blocked,uint64 serial)",
                abi.encode(blocking)
            )
        );
        (,,,,, bool closed) = medrec.recordOf(close.record);
        (bool blocked,) = medrec.blockedOf(patient, doctor);
        vm.assertTrue(closed && blocked);
    }

    function test_Requests() public {
        string memory asking =
            "RequestAccess(address author,address patient,address via,bytes32 nonce,bytes32 envelopes)";
        IMedRec.RequestAccess memory ask = IMedRec.RequestAccess(doctor, patient, hospital, NONCE, ENVELOPES);
        medrec.requestAccess(ask, _sign(DOCTOR_KEY, asking, abi.encode(ask)));
        IMedRec.WithdrawRequest memory withdraw = IMedRec.WithdrawRequest(doctor, patient, _idOf(doctor, NONCE), NONCE);
        medrec.withdrawRequest(
            withdraw,
            _sign(
                DOCTOR_KEY,
                "WithdrawRequest(address author,address patient,bytes32 request,bytes32 nonce)",
                abi.encode(withdraw)
            )
        );
        ask.nonce = keccak256("second");
        medrec.requestAccess(ask, _sign(DOCTOR_KEY, asking, abi.encode(ask)));
        IMedRec.DenyAccess memory deny = IMedRec.DenyAccess(patient, _idOf(doctor, ask.nonce), keccak256("reason"));
        medrec.denyAccess(
            deny, _sign(PATIENT_KEY, "DenyAccess(address author,bytes32 request,bytes32 reason)", abi.encode(deny))
        );
        (, uint8 withdrawn) = medrec.requestOf(withdraw.request);
        (, uint8 denied) = medrec.requestOf(deny.request);
        vm.assertTrue(withdrawn == 2 && denied == 2);
    }

    function test_Grants() public {
        string memory granting =
            "GrantAccess(address author,address grantee,address via,bytes32 scope,uint8 permissions,uint40 notBefore,uint40 expiry,uint32 epoch,bytes32 envelopes,bytes32 request,uint64 serial)";
        IMedRec.GrantAccess memory grant = _grant(doctor, GENERAL, 3);
        medrec.grantAccess(grant, _sign(PATIENT_KEY, granting, abi.encode(grant)));
        IMedRec.GiveUpAccess memory giveUp = IMedRec.GiveUpAccess(doctor, patient, hospital, GENERAL, 1);
        medrec.giveUpAccess(
            giveUp,
            _sign(
                DOCTOR_KEY,
                "GiveUpAccess(address author,address patient,address via,bytes32 scope,uint64 serial)",
                abi.encode(giveUp)
            )
        );
        IMedRec.RevokeAccess memory revoke = _revoke(doctor, GENERAL, 2);
        medrec.revokeAccess(
            revoke,
            _sign(
                PATIENT_KEY,
                "RevokeAccess(address author,address grantee,address via,bytes32 scope,uint64 serial)",
                abi.encode(revoke)
            )
        );
        (,,, uint64 serial,,) = medrec.grantOf(patient, doctor, hospital, GENERAL);
        vm.assertEq(serial, 2);
    }

    function test_Anchors() public {
        IMedRec.AnchorLog memory anchor = IMedRec.AnchorLog(anchorer, keccak256("log"), 1, keccak256("root"));
        medrec.anchorLog(
            anchor,
            _sign(ANCHOR_KEY, "AnchorLog(address author,bytes32 log,uint64 size,bytes32 root)", abi.encode(anchor))
        );
        vm.assertEq(medrec.logOf(anchorer, anchor.log), 1);
    }
}
