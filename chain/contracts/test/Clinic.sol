// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IMedRec} from "../src/IMedRec.sol";
import {MedRec} from "../src/MedRec.sol";
import {Vm} from "./Vm.sol";

/// @notice A hospital that is admitted, its doctor, a patient, and a stranger; acts to change before they are sent.
abstract contract Clinic {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant PATIENT_KEY = 0xA11CE;
    uint256 internal constant DOCTOR_KEY = 0xD0C;
    uint256 internal constant HOSPITAL_KEY = 0x405;
    uint256 internal constant ADMISSION_KEY = 0xAD;
    uint256 internal constant ANCHOR_KEY = 0xA9C;
    uint256 internal constant STRANGER_KEY = 0x57;

    bytes32 internal constant GENERAL = bytes32(uint256(1));
    uint40 internal constant START = 1_700_000_000;
    uint40 internal constant END = 1_800_000_000;

    address internal immutable patient = vm.addr(PATIENT_KEY);
    address internal immutable doctor = vm.addr(DOCTOR_KEY);
    address internal immutable hospital = vm.addr(HOSPITAL_KEY);
    address internal immutable admission = vm.addr(ADMISSION_KEY);
    address internal immutable anchorer = vm.addr(ANCHOR_KEY);
    address internal immutable stranger = vm.addr(STRANGER_KEY);
    address internal immutable admin = address(0xAD1);

    MedRec internal medrec;

    function setUp() public virtual {
        vm.warp(START);
        medrec = _deploy(0, address(0));
        _admit(true, 1);
        _affiliate(true, 1);
    }

    /// @dev The very bytes that are published, or those with a seeded bug that MEDREC_CODE names.
    function _deploy(uint256 originChain, address first) internal returns (MedRec) {
        string memory code = vm.envOr("MEDREC_CODE", string("chain/contracts/artifact.json"));
        return MedRec(vm.deployCode(code, abi.encode(admin, admission, anchorer, originChain, first)));
    }

    function _admit(bool admitted, uint64 serial) internal {
        vm.prank(admission);
        medrec.admitInstitution(IMedRec.AdmitInstitution(admission, hospital, admitted, serial), "");
    }

    function _affiliate(bool affiliated, uint64 serial) internal {
        vm.prank(hospital);
        medrec.affiliateDoctor(IMedRec.AffiliateDoctor(hospital, doctor, affiliated, serial), "");
    }

    function _record(address author, uint16 folder) internal view returns (IMedRec.NewRecord memory act) {
        act.author = author;
        act.patient = patient;
        act.via = author == patient ? address(0) : hospital;
        act.folder = folder;
        act.nonce = keccak256("nonce");
        act.content = keccak256("content");
        act.description = keccak256("description");
        act.secret = new bytes(folder == 0 ? 32 : 40);
    }

    function _modify(address author, bytes32 record, uint16 folder)
        internal
        view
        returns (IMedRec.ModifyRecord memory act)
    {
        act.author = author;
        act.patient = patient;
        act.via = author == patient ? address(0) : hospital;
        act.record = record;
        act.folder = folder;
        act.version = 2;
        act.content = keccak256("content 2");
        act.description = keccak256("description 2");
        act.secret = new bytes(folder == 0 ? 32 : 40);
    }

    function _grant(address grantee, bytes32 scope, uint8 permissions)
        internal
        view
        returns (IMedRec.GrantAccess memory act)
    {
        act.author = patient;
        act.grantee = grantee;
        act.via = grantee == doctor || grantee == hospital ? hospital : address(0);
        act.scope = scope;
        act.permissions = permissions;
        act.notBefore = START;
        act.expiry = END;
        act.envelopes = keccak256("envelopes");
        act.serial = 1;
    }

    function _revoke(address grantee, bytes32 scope, uint64 serial)
        internal
        view
        returns (IMedRec.RevokeAccess memory)
    {
        return IMedRec.RevokeAccess(patient, grantee, _grant(grantee, scope, 1).via, scope, serial);
    }

    function _add(IMedRec.NewRecord memory act) internal returns (bytes32 id) {
        vm.prank(act.author);
        medrec.newRecord(act, "");
        return _idOf(act.author, act.nonce);
    }

    function _give(IMedRec.GrantAccess memory act) internal {
        vm.prank(act.author);
        medrec.grantAccess(act, "");
    }

    function _take(IMedRec.RevokeAccess memory act) internal {
        vm.prank(act.author);
        medrec.revokeAccess(act, "");
    }

    function _rekey(uint32 from, uint32 to) internal {
        vm.prank(patient);
        medrec.rekeyFolder(IMedRec.RekeyFolder(patient, 1, from, to, keccak256("envelopes")), "");
    }

    /// @dev The next call must be refused with exactly this error.
    function _refused(bytes memory reason) internal {
        vm.expectRevert(reason);
    }

    function _refused(bytes4 selector) internal {
        vm.expectRevert(abi.encodePacked(selector));
    }

    function _idOf(address author, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(author, nonce));
    }

    /// @dev EIP-712 from its text: a struct given by its type and its encoded members.
    function _digest(string memory definition, bytes memory members) internal view returns (bytes32) {
        return _digest(keccak256(bytes.concat(keccak256(bytes(definition)), members)));
    }

    /// @dev What is signed, made without the contract: the domain, then a struct's hash.
    function _digest(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MedRec"),
                keccak256("1"),
                block.chainid,
                address(medrec)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _sign(uint256 key, string memory definition, bytes memory members) internal view returns (bytes memory) {
        return _sign(key, _digest(definition, members));
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
