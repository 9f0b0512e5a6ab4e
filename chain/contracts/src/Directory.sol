// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";

import {Accounts} from "./Accounts.sol";
import {ADMIT_INSTITUTION, AFFILIATE_DOCTOR, LEAVE_INSTITUTION} from "./ActTypes.sol";
import {IMedRec} from "./IMedRec.sol";

/// @title The directory: which institutions are admitted, and who is affiliated with them
abstract contract Directory is Accounts, AccessControlDefaultAdminRules {
    bytes32 public constant ADMISSION_ROLE = keccak256("ADMISSION_ROLE");

    struct Switch {
        bool on;
        uint64 serial;
    }

    mapping(address institution => Switch) private _institutions;
    mapping(address institution => mapping(address doctor => Switch)) private _affiliations;

    /// @inheritdoc IMedRec
    function admitInstitution(AdmitInstitution calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(ADMIT_INSTITUTION, act)), signature);
        }
        _checkRole(ADMISSION_ROLE, act.author);
        if (act.institution == address(0)) revert BadVia();
        _turn(_institutions[act.institution], act.admitted, act.serial);
        emit InstitutionAdmitted(act.institution, act.author, act.admitted, act.serial);
    }

    /// @inheritdoc IMedRec
    function affiliateDoctor(AffiliateDoctor calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(AFFILIATE_DOCTOR, act)), signature);
        }
        if (act.doctor == act.author) revert BadVia();
        _turn(_affiliations[act.author][act.doctor], act.affiliated, act.serial);
        emit DoctorAffiliated(act.author, act.doctor, act.affiliated, act.serial);
    }

    /// @inheritdoc IMedRec
    function leaveInstitution(LeaveInstitution calldata act, bytes calldata signature) external {
        if (!_isSentBy(act.author, signature)) {
            _checkSigned(act.author, keccak256(abi.encode(LEAVE_INSTITUTION, act)), signature);
        }
        _turn(_affiliations[act.institution][act.author], false, act.serial);
        emit InstitutionLeft(act.institution, act.author, act.serial);
    }

    /// @inheritdoc IMedRec
    function institutionOf(address institution) external view returns (bool admitted, uint64 serial) {
        return (_institutions[institution].on, _institutions[institution].serial);
    }

    /// @inheritdoc IMedRec
    function affiliationOf(address institution, address doctor) external view returns (bool affiliated, uint64 serial) {
        return (_affiliations[institution][doctor].on, _affiliations[institution][doctor].serial);
    }

    function _turn(Switch storage state, bool on, uint64 serial) internal {
        _checkSerial(state.serial, serial);
        state.on = on;
        state.serial = serial;
    }

    function _isAdmitted(address institution) internal view returns (bool) {
        return _institutions[institution].on;
    }

    /// @return on Whether the affiliation is in force.
    /// @return serial It ends every grant given under another one.
    function _affiliation(address institution, address doctor) internal view returns (bool on, uint64 serial) {
        Switch storage affiliation = _affiliations[institution][doctor];
        return (affiliation.on, affiliation.serial);
    }

    /// @dev Refuses unless `who` is the admitted institution itself (serial 0) or a doctor affiliated with it.
    function _checkMember(address who, address via) internal view returns (uint64) {
        if (!_isAdmitted(via)) revert NotAdmitted(via);
        if (who == via) return 0;
        (bool on, uint64 serial) = _affiliation(via, who);
        if (!on) revert NotAffiliated(via, who);
        return serial;
    }
}
