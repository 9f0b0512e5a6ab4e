// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import "../src/ActTypes.sol" as Types;
import {IMedRec} from "../src/IMedRec.sol";
import {Cast} from "./Cast.sol";

/// @notice An act before it is signed: its function, and its members encoded.
struct Draft {
    bytes4 kind;
    address author;
    bytes members;
    bytes32 structHash;
}

/// @notice Acts at random: plausible ones, often enough in the state as it is to be accepted, often enough not.
abstract contract Drafts is Cast {
    uint256 internal constant KINDS = 18;

    function _draft(uint256 kind) internal returns (Draft memory) {
        if (kind == 0) return _draftGrant();
        if (kind == 1) return _draftRevoke();
        if (kind == 2) return _draftGiveUp();
        if (kind == 3) return _draftNewRecord();
        if (kind == 4) return _draftModify();
        if (kind == 5) return _draftClose();
        if (kind < 9) return _draftFolderOrBlock(kind);
        if (kind < 12) return _draftDirectory(kind);
        if (kind < 15) return _draftRequest(kind);
        return _draftKeyOrAnchor(kind);
    }

    function _plain(bytes4 kind, bytes32 typeHash, address author, bytes memory members)
        private
        pure
        returns (Draft memory)
    {
        return Draft(kind, author, members, keccak256(bytes.concat(typeHash, members)));
    }

    function _draftGrant() private returns (Draft memory) {
        IMedRec.GrantAccess memory act;
        (act.author, act.scope) = (_somePatient(), _someScope());
        (act.grantee, act.via) = _someGrantee();
        act.permissions = act.scope != SELECTION && _oneIn(2) ? 3 : 1;
        act.notBefore = uint40(block.timestamp);
        if (_oneIn(4)) act.notBefore += 10 days;
        act.expiry = act.notBefore + uint40(1 + _roll(80 days));
        if (uint256(act.scope) <= type(uint16).max) act.epoch = _epochOf(act.author, uint16(uint256(act.scope)));
        (,,, uint64 serial,,) = medrec.grantOf(act.author, act.grantee, act.via, act.scope);
        act.serial = _after(serial);
        return _plain(medrec.grantAccess.selector, Types.GRANT_ACCESS, act.author, abi.encode(act));
    }

    function _draftRevoke() private returns (Draft memory) {
        IMedRec.RevokeAccess memory act;
        (act.author, act.scope) = (_somePatient(), _someScope());
        (act.grantee, act.via) = _someGrantee();
        (,,, uint64 serial,,) = medrec.grantOf(act.author, act.grantee, act.via, act.scope);
        act.serial = _after(serial);
        return _plain(medrec.revokeAccess.selector, Types.REVOKE_ACCESS, act.author, abi.encode(act));
    }

    function _draftGiveUp() private returns (Draft memory) {
        IMedRec.GiveUpAccess memory act;
        (act.patient, act.scope) = (_somePatient(), _someScope());
        (act.author, act.via) = _someGrantee();
        (,,, act.serial,,) = medrec.grantOf(act.patient, act.author, act.via, act.scope);
        if (_oneIn(8)) ++act.serial;
        return _plain(medrec.giveUpAccess.selector, Types.GIVE_UP_ACCESS, act.author, abi.encode(act));
    }

    function _draftNewRecord() private returns (Draft memory) {
        IMedRec.NewRecord memory act;
        act.patient = _somePatient();
        (act.author, act.folder) = (act.patient, uint16(1 + _roll(2)));
        if (_oneIn(2)) {
            (act.author, act.via) = (_someDoctor(), _someInstitution());
            if (_oneIn(2)) act.folder = 0;
        }
        (act.nonce, act.epoch) = (bytes32(_roll(40)), _epochOf(act.patient, act.folder));
        act.secret = new bytes(act.folder == 0 ? 32 : 40);
        bytes memory hashed = abi.encode(act.author, act.patient, act.via, act.folder, act.epoch, act.flags);
        hashed = bytes.concat(hashed, abi.encode(act.nonce, act.content, act.description, keccak256(act.secret)));
        bytes32 structHash = keccak256(bytes.concat(Types.NEW_RECORD, hashed));
        return Draft(medrec.newRecord.selector, act.author, abi.encode(act), structHash);
    }

    function _draftModify() private returns (Draft memory) {
        IMedRec.ModifyRecord memory act;
        act.record = _someRecord();
        uint32 version;
        (act.patient, act.folder,, version,,) = medrec.recordOf(act.record);
        act.author = _known(act.patient);
        if (_oneIn(2)) (act.author, act.via) = (_someDoctor(), _someInstitution());
        if (_oneIn(4)) act.folder = uint16(_roll(3));
        (act.version, act.epoch) = (uint32(_after(version)), _epochOf(act.patient, act.folder));
        act.content = keccak256(abi.encode(_roll(1000)));
        act.secret = new bytes(act.folder == 0 ? 32 : 40);
        bytes memory hashed = abi.encode(act.author, act.patient, act.via, act.record, act.folder, act.epoch);
        hashed = bytes.concat(hashed, abi.encode(act.version, act.flags, act.content, act.description));
        bytes32 structHash = keccak256(bytes.concat(Types.MODIFY_RECORD, hashed, keccak256(act.secret)));
        return Draft(medrec.modifyRecord.selector, act.author, abi.encode(act), structHash);
    }

    function _draftClose() private returns (Draft memory) {
        IMedRec.CloseRecord memory act;
        act.record = _someRecord();
        (act.patient,,,,,) = medrec.recordOf(act.record);
        (act.author, act.reason) = (_oneIn(4) ? doctor : _known(act.patient), uint8(_roll(5)));
        if (act.author == doctor) act.nonce = bytes32(_roll(40));
        return _plain(medrec.closeRecord.selector, Types.CLOSE_RECORD, act.author, abi.encode(act));
    }

    function _draftFolderOrBlock(uint256 kind) private returns (Draft memory) {
        address author = _somePatient();
        uint16 folder = uint16(1 + _roll(2));
        (uint32 epoch, uint64 serial) = medrec.folderOf(author, folder);
        if (kind == 6) {
            uint32 to = epoch + uint32(_roll(4));
            IMedRec.RekeyFolder memory act = IMedRec.RekeyFolder(author, folder, epoch, to, SELECTION);
            return _plain(medrec.rekeyFolder.selector, Types.REKEY_FOLDER, author, abi.encode(act));
        }
        if (kind == 7) {
            IMedRec.NameFolder memory act = IMedRec.NameFolder(author, folder, SELECTION, _after(serial));
            return _plain(medrec.nameFolder.selector, Types.NAME_FOLDER, author, abi.encode(act));
        }
        address sender = _oneIn(2) ? _someDoctor() : _someInstitution();
        (, serial) = medrec.blockedOf(author, sender);
        IMedRec.BlockSender memory blocking = IMedRec.BlockSender(author, sender, _oneIn(3), _after(serial));
        return _plain(medrec.blockSender.selector, Types.BLOCK_SENDER, author, abi.encode(blocking));
    }

    function _draftDirectory(uint256 kind) private returns (Draft memory) {
        address institution = _someInstitution();
        if (kind == 9) {
            (, uint64 last) = medrec.institutionOf(institution);
            IMedRec.AdmitInstitution memory act =
                IMedRec.AdmitInstitution(admission, institution, !_oneIn(3), _after(last));
            return _plain(medrec.admitInstitution.selector, Types.ADMIT_INSTITUTION, admission, abi.encode(act));
        }
        address who = _someDoctor();
        (, uint64 serial) = medrec.affiliationOf(institution, who);
        if (kind == 10) {
            IMedRec.AffiliateDoctor memory act = IMedRec.AffiliateDoctor(institution, who, !_oneIn(4), _after(serial));
            return _plain(medrec.affiliateDoctor.selector, Types.AFFILIATE_DOCTOR, institution, abi.encode(act));
        }
        IMedRec.LeaveInstitution memory leaving = IMedRec.LeaveInstitution(who, institution, _after(serial));
        return _plain(medrec.leaveInstitution.selector, Types.LEAVE_INSTITUTION, who, abi.encode(leaving));
    }

    function _draftRequest(uint256 kind) private returns (Draft memory) {
        bytes32 nonce = bytes32(_roll(40));
        address author = _someDoctor();
        if (kind == 12) {
            IMedRec.RequestAccess memory act =
                IMedRec.RequestAccess(author, _somePatient(), _someInstitution(), nonce, SELECTION);
            return _plain(medrec.requestAccess.selector, Types.REQUEST_ACCESS, author, abi.encode(act));
        }
        bytes32 request = _recent(_requests);
        (address asked,) = medrec.requestOf(request);
        if (kind == 13) {
            IMedRec.DenyAccess memory act =
                IMedRec.DenyAccess(_oneIn(4) ? neighbour : _known(asked), request, SELECTION);
            return _plain(medrec.denyAccess.selector, Types.DENY_ACCESS, act.author, abi.encode(act));
        }
        if (!_oneIn(4)) (author, nonce) = (_askers[request], _nonces[request]);
        if (author == address(0)) author = doctor;
        IMedRec.WithdrawRequest memory back = IMedRec.WithdrawRequest(author, asked, request, nonce);
        return _plain(medrec.withdrawRequest.selector, Types.WITHDRAW_REQUEST, author, abi.encode(back));
    }

    function _draftKeyOrAnchor(uint256 kind) private returns (Draft memory) {
        if (kind == 15) {
            uint64 size = medrec.logOf(anchorer, LOG) + uint64(_roll(6));
            if (size != 0) --size;
            IMedRec.AnchorLog memory anchor = IMedRec.AnchorLog(anchorer, LOG, size, SELECTION);
            return _plain(medrec.anchorLog.selector, Types.ANCHOR_LOG, anchorer, abi.encode(anchor));
        }
        address author = _somePatient();
        if (kind == 16) {
            (uint32 last,) = medrec.keyOf(author);
            IMedRec.PublishKey memory act = IMedRec.PublishKey(author, uint32(_after(last)), new bytes(1217));
            bytes32 hash = keccak256(abi.encode(Types.PUBLISH_KEY, author, act.version, keccak256(act.key)));
            return Draft(medrec.publishKey.selector, author, abi.encode(act), hash);
        }
        (, uint32 generation) = medrec.signerOf(author);
        IMedRec.ReplaceKeys memory next;
        (next.author, next.generation, next.key) = (author, generation + (_oneIn(5) ? 2 : 1), new bytes(1217));
        next.signer = vm.addr(_successorKey(author, next.generation));
        bytes32 digest = keccak256(next.key);
        bytes32 structHash =
            keccak256(abi.encode(Types.REPLACE_KEYS, author, next.generation, next.signer, digest, next.envelopes));
        return Draft(medrec.replaceKeys.selector, author, abi.encode(next), structHash);
    }

    /// @dev The key with which an account signs in a generation.
    function _successorKey(address account, uint32 generation) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(account, generation))) >> 1;
    }

    // ---------------------------------------------------------------------------------------------------- calldata

    function _signed(Draft memory draft, uint256 key) internal view returns (bytes memory) {
        return _calldata(draft, _sign(key, _digest(draft.structHash)));
    }

    function _calldata(Draft memory draft, bytes memory signature) internal view returns (bytes memory) {
        bytes memory members = draft.members;
        if (draft.kind == medrec.newRecord.selector) {
            return abi.encodeCall(medrec.newRecord, (abi.decode(members, (IMedRec.NewRecord)), signature));
        }
        if (draft.kind == medrec.modifyRecord.selector) {
            return abi.encodeCall(medrec.modifyRecord, (abi.decode(members, (IMedRec.ModifyRecord)), signature));
        }
        if (draft.kind == medrec.publishKey.selector) {
            return abi.encodeCall(medrec.publishKey, (abi.decode(members, (IMedRec.PublishKey)), signature));
        }
        if (draft.kind == medrec.replaceKeys.selector) {
            return abi.encodeCall(medrec.replaceKeys, (abi.decode(members, (IMedRec.ReplaceKeys)), signature));
        }
        // A struct of fixed size stands in the head, before the place of the signature.
        bytes memory padding = new bytes((32 - signature.length % 32) % 32);
        return abi.encodePacked(draft.kind, members, members.length + 32, signature.length, signature, padding);
    }
}
