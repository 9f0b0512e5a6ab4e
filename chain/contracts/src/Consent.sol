// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    DENY_ACCESS,
    GIVE_UP_ACCESS,
    GRANT_ACCESS,
    REQUEST_ACCESS,
    REVOKE_ACCESS,
    WITHDRAW_REQUEST
} from "./ActTypes.sol";
import {Folders} from "./Folders.sol";
import {GrantSlot, packGrant} from "./GrantSlot.sol";
import {IMedRec} from "./IMedRec.sol";

/// @title Consent: requests for access, and the grants that answer them
abstract contract Consent is Folders {
    uint8 internal constant READ = 1;
    uint8 internal constant WRITE = 2;
    uint8 private constant OPEN_REQUEST = 1;
    uint8 private constant CLOSED_REQUEST = 2;

    struct Request {
        address patient;
        uint8 state;
    }

    mapping(bytes32 request => Request) private _requests;
    mapping(bytes32 key => GrantSlot) private _grants;

    /// @inheritdoc IMedRec
    function requestAccess(RequestAccess calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(REQUEST_ACCESS, act)), signature);
        }
        _checkMember(act.author, act.via);
        if (act.patient == address(0)) revert BadPatient();
        bytes32 id = _idOf(act.author, act.nonce);
        if (_requests[id].state != 0) revert RequestExists();
        _requests[id] = Request(act.patient, OPEN_REQUEST);
        emit AccessRequested(act.patient, act.author, id, act.via, act.nonce, act.envelopes);
    }

    /// @inheritdoc IMedRec
    function withdrawRequest(WithdrawRequest calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(WITHDRAW_REQUEST, act)), signature);
        }
        if (_idOf(act.author, act.nonce) != act.request) revert RequestNotOpen();
        _closeRequest(act.request, act.patient);
        emit RequestWithdrawn(act.patient, act.author, act.request, act.nonce);
    }

    /// @inheritdoc IMedRec
    function denyAccess(DenyAccess calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(DENY_ACCESS, act)), signature);
        }
        _closeRequest(act.request, act.author);
        emit AccessDenied(act.author, act.request, act.reason);
    }

    /// @inheritdoc IMedRec
    function grantAccess(GrantAccess calldata given, bytes calldata signature) external {
        GrantAccess memory act = given; // out of the calldata, where every reading of a member checks it again
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(GRANT_ACCESS, act)), signature);
        }
        if (act.grantee == address(0) || act.grantee == act.author) revert BadGrantee();
        if (act.permissions | WRITE != READ | WRITE) revert BadPermissions();
        if (act.expiry <= act.notBefore) revert BadTimes();
        _checkScope(act);
        bytes32 key = _grantKey(act.author, act.grantee, act.via, act.scope);
        _checkSerial(_grants[key].serial(), act.serial);
        _grants[key] = packGrant(
            act.permissions, act.notBefore, act.expiry, act.serial, act.epoch, _checkGrantee(act.grantee, act.via)
        );
        _emitGranted(act);
    }

    /// @inheritdoc IMedRec
    function revokeAccess(RevokeAccess calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(REVOKE_ACCESS, act)), signature);
        }
        bytes32 key = _grantKey(act.author, act.grantee, act.via, act.scope);
        GrantSlot grant = _grants[key];
        _checkSerial(grant.serial(), act.serial);
        _grants[key] = grant.ended(act.serial);
        emit AccessRevoked(act.author, act.grantee, act.scope, act.via, act.serial);
    }

    /// @inheritdoc IMedRec
    function giveUpAccess(GiveUpAccess calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(GIVE_UP_ACCESS, act)), signature);
        }
        bytes32 key = _grantKey(act.patient, act.author, act.via, act.scope);
        GrantSlot grant = _grants[key];
        if (grant.serial() != act.serial || grant.permissions() == 0) {
            revert GrantNotCurrent(grant.serial(), act.serial);
        }
        _grants[key] = grant.ended(act.serial);
        emit AccessGivenUp(act.patient, act.author, act.scope, act.via, act.serial);
    }

    /// @inheritdoc IMedRec
    function requestOf(bytes32 request) external view returns (address patient, uint8 state) {
        return (_requests[request].patient, _requests[request].state);
    }

    /// @inheritdoc IMedRec
    function grantOf(address patient, address grantee, address via, bytes32 scope)
        external
        view
        returns (
            uint8 permissions,
            uint40 notBefore,
            uint40 expiry,
            uint64 serial,
            uint32 epoch,
            uint64 affiliationSerial
        )
    {
        GrantSlot grant = _grants[_grantKey(patient, grantee, via, scope)];
        return (
            grant.permissions(),
            grant.notBefore(),
            grant.expiry(),
            grant.serial(),
            grant.epoch(),
            grant.affiliationSerial()
        );
    }

    /// @inheritdoc IMedRec
    function canRead(address patient, address who, address via, bytes32 scope) external view returns (bool) {
        return _has(READ, patient, who, via, scope);
    }

    /// @inheritdoc IMedRec
    function canWrite(address patient, address who, address via, bytes32 scope) external view returns (bool) {
        return _has(WRITE, patient, who, via, scope);
    }

    /// @dev A doctor has what was granted to him through the institution, and what was granted to the institution.
    function _has(uint8 permission, address patient, address who, address via, bytes32 scope)
        internal
        view
        returns (bool)
    {
        if (via == address(0)) return _isLive(_grants[_grantKey(patient, who, via, scope)], permission, 0);
        if (!_isAdmitted(via)) return false;
        if (who == via) return _isLive(_grants[_grantKey(patient, via, via, scope)], permission, 0);
        (bool on, uint64 serial) = _affiliation(via, who);
        if (!on) return false;
        return _isLive(_grants[_grantKey(patient, via, via, scope)], permission, 0)
            || _isLive(_grants[_grantKey(patient, who, via, scope)], permission, serial);
    }

    /// @return patient Whose record it is, zero if there is none.
    /// @return folder Where it is.
    function _placeOf(bytes32 record) internal view virtual returns (address patient, uint16 folder);

    function _isLive(GrantSlot grant, uint8 permission, uint64 affiliationSerial) private view returns (bool) {
        return grant.permissions() & permission != 0 && grant.affiliationSerial() == affiliationSerial
            && grant.notBefore() <= block.timestamp && block.timestamp < grant.expiry();
    }

    /// @dev Gives the affiliation's serial. A suspension only pauses a doctor's grants, so it does not stand in their way.
    function _checkGrantee(address grantee, address via) private view returns (uint64) {
        if (via == address(0)) return 0;
        if (grantee == via) return _checkMember(grantee, via);
        (bool on, uint64 serial) = _affiliation(via, grantee);
        if (!on) revert NotAffiliated(via, grantee);
        return serial;
    }

    function _checkScope(GrantAccess memory act) private view {
        uint256 scope = uint256(act.scope);
        if (scope == 0) revert BadScope();
        if (scope <= type(uint16).max) return _checkEpoch(act.author, uint16(scope), act.epoch);
        if (act.epoch != 0) revert EpochNotCurrent(0, act.epoch);
        (address patient, uint16 folder) = _placeOf(act.scope);
        if (patient == address(0)) {
            // A selection: a list of what exists, so there is nothing to write to.
            if (act.permissions != READ) revert BadPermissions();
        } else if (patient != act.author || folder == 0) {
            revert BadScope();
        }
    }

    function _closeRequest(bytes32 id, address patient) private {
        Request storage request = _requests[id];
        if (request.patient != patient || request.state != OPEN_REQUEST) revert RequestNotOpen();
        request.state = CLOSED_REQUEST;
    }

    function _emitGranted(GrantAccess memory act) private {
        emit AccessGranted(
            act.author,
            act.grantee,
            act.scope,
            act.via,
            act.permissions,
            act.notBefore,
            act.expiry,
            act.epoch,
            act.envelopes,
            act.request,
            act.serial
        );
    }

    function _grantKey(address patient, address grantee, address via, bytes32 scope) private pure returns (bytes32) {
        return keccak256(abi.encode(patient, grantee, via, scope));
    }
}
