// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {Draft, Drafts} from "./Drafts.sol";

/// @notice Who may read and write what, counted over everybody and everything: by the contract, and by what patients granted.
struct Survey {
    uint256 wider; // in the contract, not by what patients granted
    uint256 narrower;
    uint256 endedThatServes;
    uint256 readable;
    uint256 writable;
    uint256 ended;
    uint256 paused;
}

/// @notice What must hold, worked out from the accepted acts alone, in the plainest way and without the contract's storage.
abstract contract Memory is Drafts {
    struct Given {
        uint8 permissions;
        uint40 notBefore;
        uint40 expiry;
        bool taken; // by a revoke or by the grantee
        uint256 affiliation; // in which of the pair's affiliations it was given
    }

    struct Written {
        address owner;
        uint16 folder;
        uint32 version;
        bool closed;
    }

    mapping(bytes32 grant => Given) private _given;
    mapping(bytes32 record => Written) public written;
    mapping(address institution => bool) private _admitted;
    mapping(bytes32 pair => bool) private _affiliated;
    mapping(bytes32 pair => uint256) private _affiliations;
    mapping(bytes32 slot => uint256) public last; // the number that an accepted act gave it

    /// @notice Whether some number did not grow, or a version was not the next.
    bool public shrunk;
    mapping(bytes4 kind => uint256) public accepted;
    mapping(bytes4 kind => uint256) public refused;

    function slotOf(string memory name, address one, address two, address three, bytes32 scope)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(name, one, two, three, scope));
    }

    /// @notice The contract beside this memory of the accepted acts.
    function survey() external view returns (Survey memory found) {
        bytes32[] memory scopes = _scopes();
        for (uint256 i = 0; i < scopes.length; ++i) {
            _surveyOf(found, patient, scopes[i]);
            _surveyOf(found, neighbour, scopes[i]);
        }
    }

    function _surveyOf(Survey memory found, address owner, bytes32 scope) private view {
        _look(found, owner, doctor, address(0), scope);
        _look(found, owner, stranger, address(0), scope);
        _look(found, owner, hospital, address(0), scope);
        _look(found, owner, stranger, hospital, scope);
        _look(found, owner, hospital, hospital, scope);
        _look(found, owner, doctor, hospital, scope);
        _look(found, owner, locum, hospital, scope);
        _look(found, owner, practice, practice, scope);
        _look(found, owner, doctor, practice, scope);
    }

    function _look(Survey memory found, address owner, address who, address via, bytes32 scope) private view {
        bool reads = medrec.canRead(owner, who, via, scope);
        bool writes = medrec.canWrite(owner, who, via, scope);
        uint8 allowed = _allowed(owner, who, via, scope);
        (bool mayRead, bool mayWrite) = (allowed & 1 != 0, allowed & 2 != 0);
        if (reads && !mayRead || writes && !mayWrite) ++found.wider;
        if (!reads && mayRead || !writes && mayWrite) ++found.narrower;
        if (reads) ++found.readable;
        if (writes) ++found.writable;
        (bool given, bool ended) = _stateOf(owner, who, via, scope);
        if (given && !ended && via != address(0) && !_admitted[via]) ++found.paused;
        if (!given || !ended) return;
        ++found.ended;
        if (!reads && !writes) return;
        // An institution's own grant goes on for its doctors.
        (given, ended) = _stateOf(owner, via, via, scope);
        if (!given || ended) ++found.endedThatServes;
    }

    /// @dev The permissions that a patient's own grants give somebody now.
    function _allowed(address owner, address who, address via, bytes32 scope) private view returns (uint8) {
        if (via == address(0)) return _serves(owner, who, via, scope);
        if (!_admitted[via]) return 0;
        if (who == via) return _serves(owner, via, via, scope);
        if (!_affiliated[_pair(via, who)]) return 0;
        return _serves(owner, via, via, scope) | _serves(owner, who, via, scope);
    }

    function _serves(address owner, address who, address via, bytes32 scope) private view returns (uint8) {
        (bool given, bool ended) = _stateOf(owner, who, via, scope);
        Given storage grant = _given[_grantSlot(owner, who, via, scope)];
        return given && !ended && grant.notBefore <= block.timestamp ? grant.permissions : 0;
    }

    /// @dev Ended: taken, expired, or given in an affiliation that is over.
    function _stateOf(address owner, address who, address via, bytes32 scope)
        private
        view
        returns (bool given, bool ended)
    {
        Given storage grant = _given[_grantSlot(owner, who, via, scope)];
        given = grant.expiry != 0;
        ended = grant.taken || grant.expiry <= block.timestamp || grant.affiliation != _affiliationNow(who, via);
    }

    // ------------------------------------------------------------------------------------------------- remembering

    function _note(Draft memory draft, bool ok) internal {
        if (!ok) {
            ++refused[draft.kind];
            return;
        }
        ++accepted[draft.kind];
        _noteConsent(draft);
        _noteRecord(draft);
        _noteDirectory(draft);
        _noteOther(draft);
    }

    function _noteConsent(Draft memory draft) private {
        if (draft.kind == medrec.grantAccess.selector) {
            IMedRec.GrantAccess memory act = abi.decode(draft.members, (IMedRec.GrantAccess));
            bytes32 slot = _grantSlot(act.author, act.grantee, act.via, act.scope);
            _grow(slot, act.serial);
            uint256 affiliation = _affiliationNow(act.grantee, act.via);
            _given[slot] = Given(act.permissions, act.notBefore, act.expiry, false, affiliation);
        } else if (draft.kind == medrec.revokeAccess.selector) {
            IMedRec.RevokeAccess memory act = abi.decode(draft.members, (IMedRec.RevokeAccess));
            bytes32 slot = _grantSlot(act.author, act.grantee, act.via, act.scope);
            _grow(slot, act.serial);
            _given[slot].taken = true;
        } else if (draft.kind == medrec.giveUpAccess.selector) {
            IMedRec.GiveUpAccess memory act = abi.decode(draft.members, (IMedRec.GiveUpAccess));
            _given[_grantSlot(act.patient, act.author, act.via, act.scope)].taken = true;
        } else if (draft.kind == medrec.requestAccess.selector) {
            IMedRec.RequestAccess memory act = abi.decode(draft.members, (IMedRec.RequestAccess));
            bytes32 request = _idOf(act.author, act.nonce);
            _requests.push(request);
            (_askers[request], _nonces[request]) = (act.author, act.nonce);
        }
    }

    function _noteRecord(Draft memory draft) private {
        if (draft.kind == medrec.newRecord.selector) {
            IMedRec.NewRecord memory act = abi.decode(draft.members, (IMedRec.NewRecord));
            bytes32 id = _idOf(act.author, act.nonce);
            if (written[id].version != 0) shrunk = true;
            written[id] = Written(act.patient, act.folder, 1, false);
            _records.push(id);
        } else if (draft.kind == medrec.modifyRecord.selector) {
            IMedRec.ModifyRecord memory act = abi.decode(draft.members, (IMedRec.ModifyRecord));
            Written storage record = written[act.record];
            if (act.version != record.version + 1 || record.closed) shrunk = true;
            (record.version, record.folder) = (act.version, act.folder);
        } else if (draft.kind == medrec.closeRecord.selector) {
            written[abi.decode(draft.members, (IMedRec.CloseRecord)).record].closed = true;
        }
    }

    function _noteDirectory(Draft memory draft) private {
        if (draft.kind == medrec.admitInstitution.selector) {
            IMedRec.AdmitInstitution memory act = abi.decode(draft.members, (IMedRec.AdmitInstitution));
            _admitted[act.institution] = act.admitted;
            _grow(slotOf("institution", act.institution, address(0), address(0), 0), act.serial);
        } else if (draft.kind == medrec.affiliateDoctor.selector) {
            IMedRec.AffiliateDoctor memory act = abi.decode(draft.members, (IMedRec.AffiliateDoctor));
            _noteAffiliation(act.author, act.doctor, act.affiliated, act.serial);
        } else if (draft.kind == medrec.leaveInstitution.selector) {
            IMedRec.LeaveInstitution memory act = abi.decode(draft.members, (IMedRec.LeaveInstitution));
            _noteAffiliation(act.institution, act.author, false, act.serial);
        }
    }

    function _noteAffiliation(address institution, address who, bool on, uint64 serial) private {
        bytes32 pair = _pair(institution, who);
        _grow(slotOf("affiliation", institution, who, address(0), 0), serial);
        _affiliated[pair] = on;
        ++_affiliations[pair];
    }

    function _noteOther(Draft memory draft) private {
        if (draft.kind == medrec.rekeyFolder.selector) {
            IMedRec.RekeyFolder memory act = abi.decode(draft.members, (IMedRec.RekeyFolder));
            _grow(slotOf("folder", act.author, address(0), address(0), bytes32(uint256(act.folder))), act.toEpoch);
        } else if (draft.kind == medrec.replaceKeys.selector) {
            IMedRec.ReplaceKeys memory act = abi.decode(draft.members, (IMedRec.ReplaceKeys));
            _keys[act.author] = _successorKey(act.author, act.generation);
            _grow(slotOf("generation", act.author, address(0), address(0), 0), act.generation);
            for (uint256 folder = 1; folder <= 2; ++folder) {
                _grow(slotOf("folder", act.author, address(0), address(0), bytes32(folder)), act.generation << 16);
            }
        } else if (draft.kind == medrec.anchorLog.selector) {
            IMedRec.AnchorLog memory act = abi.decode(draft.members, (IMedRec.AnchorLog));
            _grow(slotOf("log", act.author, address(0), address(0), act.log), act.size);
        }
    }

    /// @dev The state that setUp makes.
    function _noteStart() internal {
        _admitted[hospital] = true;
        last[slotOf("institution", hospital, address(0), address(0), 0)] = 1;
        _noteAffiliation(hospital, doctor, true, 1);
    }

    function _grow(bytes32 slot, uint256 number) private {
        if (number <= last[slot]) shrunk = true;
        last[slot] = number;
    }

    function _affiliationNow(address who, address via) private view returns (uint256) {
        return who == via ? 0 : _affiliations[_pair(via, who)];
    }

    function _grantSlot(address owner, address who, address via, bytes32 scope) private pure returns (bytes32) {
        return slotOf("grant", owner, who, via, scope);
    }

    function _pair(address institution, address who) private pure returns (bytes32) {
        return keccak256(abi.encode(institution, who));
    }
}
